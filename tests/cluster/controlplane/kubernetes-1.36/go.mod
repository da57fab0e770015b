// The versions of what it imports are those of the module that imports it.
module spark-swap.io/tests/kubernetes

go 1.26.0
