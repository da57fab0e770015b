"""pods.py NAMESPACE [alike]: the pods of the exactness matrix as a List, as their owners would write them; or more
executors of one kind than a node has room for.

Executors have the form that Spark gives them, but sleep: what counts is what the kubelet writes into their cgroups.
"""

import json
import sys

SLEEP = {"image": "localhost/base:1", "imagePullPolicy": "Never", "command": ["/bin/sh", "-c", "exec /bin/sleep 1000000"]}


def resources(request, limit, cpu=None, cpu_limit=None):
    found = {"requests": {"memory": request, "cpu": cpu}, "limits": {"memory": limit, "cpu": cpu_limit}}
    kept = {part: {name: value for name, value in values.items() if value} for part, values in found.items()}
    return {part: values for part, values in kept.items() if values}


def pod(name, containers, labels=None, annotations=None, init=()):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": sys.argv[1], "labels": labels or {}, "annotations": annotations or {}},
        "spec": {
            "automountServiceAccountToken": False,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "initContainers": list(init),
            "containers": containers,
        },
    }


def neighbour(name, **wanted):
    return pod(name, [{"name": "app", **SLEEP, "resources": resources(**wanted) if wanted else {}}])


def executor(name, heap, request, limit=None, labels=None, cpu="10m", cpu_limit=None, sidecars=(), init=(), first=False):
    spark = {
        "name": "spark-kubernetes-executor",
        **SLEEP,
        "args": ["executor"],
        "env": [
            {"name": "SPARK_EXECUTOR_MEMORY", "value": heap},
            {"name": "SPARK_APPLICATION_ID", "value": "spark-matrix"},
            {"name": "SPARK_EXECUTOR_ID", "value": "1"},
        ],
        "resources": resources(request, limit or request, cpu, cpu_limit),
    }
    own = {"spark-role": "executor", "spark-app-selector": "spark-matrix", "spark-exec-id": "1"}
    containers = [*sidecars, spark] if first else [spark, *sidecars]
    return pod(name, containers, own | (labels or {}), init=init)


def sidecar(name, **wanted):
    return {"name": name, **SLEEP, "resources": resources(**wanted) if wanted else {}}


def of_class(name):
    return {"spark-swap.io/class": name}


proxy = sidecar("proxy", request="24Mi", limit="48Mi", cpu="5m")
native = {**sidecar("native", request="20Mi", limit="40Mi", cpu="5m"), "restartPolicy": "Always"}
fixed = sidecar("fixed", request="16Mi", limit="16Mi", cpu="5m")

PODS = [
    # SafetyNet, over sizes: round, odd, in decimal bytes, just below a unit of Java's own defaults.
    executor("net-384", "256m", "384Mi"),
    executor("net-385", "257m", "385Mi"),
    executor("net-decimal", "200m", "400000001"),
    executor("net-kibi", "200m", "333333Ki"),
    executor("net-below", "128m", "200Mi", "300Mi"),
    # Density, Tight and Loose.
    executor("tight-700", "512m", "700Mi", labels=of_class("tight")),
    executor("tight-533", "400m", "533Mi", labels=of_class("tight")),
    executor("loose-600", "400m", "600Mi", labels=of_class("loose")),
    # A heap that grows into swap.
    executor("growth-500", "300m", "500Mi", labels=of_class("growth")),
    # Guaranteed as received: left alone, or changed where the class says so.
    executor("guaranteed", "128m", "200Mi", cpu="10m", cpu_limit="10m"),
    executor("burstable-300", "200m", "300Mi", labels=of_class("burstable"), cpu="10m", cpu_limit="10m"),
    executor("opted-out", "128m", "200Mi", labels=of_class("none")),
    # Companions: beside it, before it, in front of it, and with request and limit alike.
    executor("sidecar", "256m", "384Mi", sidecars=[proxy]),
    executor("sidecar-first", "400m", "533Mi", labels=of_class("tight"), sidecars=[proxy], first=True),
    executor("native-sidecar", "256m", "384Mi", init=[native]),
    executor("fixed-sidecar", "256m", "384Mi", sidecars=[fixed]),
    # Neighbours that are nobody's executors.
    neighbour("neighbour-guaranteed", request="64Mi", limit="64Mi", cpu="10m", cpu_limit="10m"),
    neighbour("neighbour-burstable", request="64Mi", limit="128Mi", cpu="10m"),
    neighbour("neighbour-best-effort"),
]

ALIKE = [executor(f"alike-{number}", "700m", "900Mi", labels=of_class("tight")) for number in range(20)]

json.dump({"apiVersion": "v1", "kind": "List", "items": ALIKE if "alike" in sys.argv else PODS}, sys.stdout, indent=1)
