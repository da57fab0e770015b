package main

import (
	"maps"
	"testing"
)

func TestAContainersOwnKeyStandsAboveThePods(t *testing.T) {
	annotations := map[string]string{
		"memory.swap.max.memory-qos.nri.io":       "1",
		"memory.swap.max.memory-qos.nri.io/spark": "2",
		"memory.high.memory-qos.nri.io/other":     "3",
		"memory.swap.max.memory-qos.nri.io/park":  "4",
		"spark-swap.io/plan":                      "{}",
	}
	for container, value := range map[string]string{"spark": "2", "park": "4", "side": "1"} {
		// Maps are walked in another order each time.
		for range 50 {
			if got := asked(annotations, container); !maps.Equal(got, map[string]string{"memory.swap.max": value}) {
				t.Fatalf("%s: %v", container, got)
			}
		}
	}
}
