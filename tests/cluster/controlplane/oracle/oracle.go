// Package oracle answers questions about pods, nodes and limit ranges with the
// very functions that kubelet, API server and scheduler use. It reads one JSON
// request a line and writes one JSON answer a line, in the same order.
package oracle

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	kjson "sigs.k8s.io/json"
)

// operations maps the request's "op" to its answer; each has a file of its own.
var operations = map[string]func(request []byte) (any, error){
	"pod":        podOnNode,
	"limitRange": limitRange,
	"nodeMatch":  nodeMatch,
	"quantity":   quantity,
	"podValid":   podValid,
	"applyPatch": applyPatch,
}

// failure is the answer to a request that could not be answered.
type failure struct {
	Error string `json:"error"`
}

// Serve answers until the input ends, and returns the exit code. Answers are
// held back while more requests wait in the buffer, never longer: a caller may
// ask one question at a time.
func Serve(in io.Reader, out io.Writer) int {
	klog.SetLogger(logr.Discard()) // the answers say it all
	requests := bufio.NewReaderSize(in, 1<<20)
	answers := bufio.NewWriterSize(out, 1<<20)
	encoder := json.NewEncoder(answers)
	encoder.SetEscapeHTML(false)
	for {
		line, readErr := requests.ReadBytes('\n')
		if len(line) > 0 {
			if err := encoder.Encode(answer(line)); err != nil {
				fmt.Fprintln(os.Stderr, "oracle: writing an answer:", err)
				return 1
			}
		}
		if requests.Buffered() == 0 || readErr != nil {
			if err := answers.Flush(); err != nil {
				fmt.Fprintln(os.Stderr, "oracle: writing an answer:", err)
				return 1
			}
		}
		switch readErr {
		case nil:
		case io.EOF:
			return 0
		default:
			fmt.Fprintln(os.Stderr, "oracle: reading a request:", readErr)
			return 1
		}
	}
}

// answer turns errors and panics of Kubernetes' code into a failure, so that
// one odd request does not end the conversation.
func answer(line []byte) (result any) {
	defer func() {
		if cause := recover(); cause != nil {
			result = failure{fmt.Sprintf("panic: %v", cause)}
		}
	}()
	var request struct {
		Op string `json:"op"`
	}
	if err := decode(line, &request); err != nil {
		return failure{err.Error()}
	}
	operation := operations[request.Op]
	if operation == nil {
		return failure{fmt.Sprintf("unknown op %q", request.Op)}
	}
	result, err := operation(line)
	if err != nil {
		return failure{err.Error()}
	}
	return result
}

// decode reads JSON as the API server does: field names are case-sensitive.
func decode(data []byte, into any) error {
	return kjson.UnmarshalCaseSensitivePreserveInts(data, into)
}
