package oracle

import (
	"math"

	"k8s.io/apimachinery/pkg/api/resource"
)

type quantityAnswer struct {
	OK        bool   `json:"ok"`
	Value     int64  `json:"value"` // whole bytes, rounded up
	Canonical string `json:"canonical"`
	TooLarge  bool   `json:"tooLarge"` // beyond 64 bits: value is meaningless
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
	// Not String(), which may answer with the text that was parsed.
	number, suffix := parsed.CanonicalizeBytes(nil)
	return quantityAnswer{
		OK:        true,
		Value:     parsed.Value(),
		Canonical: string(number) + string(suffix),
		TooLarge:  parsed.CmpInt64(math.MaxInt64) > 0 || parsed.CmpInt64(-math.MaxInt64) < 0,
	}, nil
}
