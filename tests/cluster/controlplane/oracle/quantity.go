package oracle

import "k8s.io/apimachinery/pkg/api/resource"

type quantityAnswer struct {
	OK        bool   `json:"ok"`
	Value     int64  `json:"value"` // whole bytes, rounded up
	Canonical string `json:"canonical"`
}

// quantity parses a resource quantity.
func quantity(line []byte) (any, error) {
	var request struct {
		Value string `json:"value"`
	}
	if err := decode(line, &request); err != nil {
		return nil, err
	}
	parsed, err := resource.ParseQuantity(request.Value)
	if err != nil {
		return verdict{}, nil
	}
	return quantityAnswer{OK: true, Value: parsed.Value(), Canonical: parsed.String()}, nil
}
