package oracle

import (
	"encoding/json"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubejson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/core/install" // makes the scheme know pods
)

type applyPatchAnswer struct {
	OK     bool            `json:"ok"`
	Object json.RawMessage `json:"object,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// applyPatch does to an object what the API server does to it when a mutating
// webhook answers with a patch. A pod (kind Pod) is decoded and defaulted
// before and after, as the server holds it; anything else is patched as it is.
func applyPatch(line []byte) (any, error) {
	var request struct {
		Object json.RawMessage `json:"object"`
		Patch  json.RawMessage `json:"patch"`
	}
	if err := decode(line, &request); err != nil {
		return nil, err
	}
	var meta struct {
		Kind string `json:"kind"`
	}
	if err := decode(request.Object, &meta); err != nil {
		return nil, err
	}
	object := request.Object
	isPod := meta.Kind == "Pod"
	if isPod {
		var err error
		if object, err = throughServer(object); err != nil {
			return nil, err
		}
	}

	patch, err := jsonpatch.DecodePatch(request.Patch)
	if err != nil {
		return applyPatchAnswer{Error: err.Error()}, nil
	}
	patched, err := patch.Apply(object)
	if err != nil {
		return applyPatchAnswer{Error: err.Error()}, nil
	}
	if isPod {
		if patched, err = throughServer(patched); err != nil {
			return applyPatchAnswer{Error: err.Error()}, nil
		}
	}
	return applyPatchAnswer{OK: true, Object: patched}, nil
}

var serializer = kubejson.NewSerializerWithOptions(
	kubejson.DefaultMetaFactory, legacyscheme.Scheme, legacyscheme.Scheme, kubejson.SerializerOptions{})

// throughServer decodes a v1 Pod, defaults it and encodes it again.
func throughServer(data []byte) ([]byte, error) {
	pod, _, err := serializer.Decode(data, nil, &v1.Pod{})
	if err != nil {
		return nil, err
	}
	legacyscheme.Scheme.Default(pod)
	return runtime.Encode(serializer, pod)
}
