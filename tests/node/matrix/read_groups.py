"""read_groups.py NAMESPACE: what the kubelet wrote for each container of the running pods, from /sys/fs/cgroup and /proc.

Standard input: the pods as `kubectl get -o json` prints them. Output: a list of containers, with what the API says of
their pods.
"""

import glob
import json
import sys

PLAN = "spark-swap.io/plan"


def read(path):
    with open(path) as file:
        return file.read().strip()


def container(pod, status):
    group = glob.glob(f"/sys/fs/cgroup/kubepods/**/{status['containerID'].split('//')[1]}", recursive=True)[0]
    first = read(f"{group}/cgroup.procs").split("\n")[0]
    return {
        "pod": pod["metadata"]["name"],
        "container": status["name"],
        "qosClass": pod["status"]["qosClass"],
        "plan": json.loads(pod["metadata"].get("annotations", {}).get(PLAN, "null")),
        "resources": next(
            c.get("resources", {})
            for c in pod["spec"]["containers"] + pod["spec"].get("initContainers", [])
            if c["name"] == status["name"]
        ),
        "memory.max": read(f"{group}/memory.max"),
        "memory.swap.max": read(f"{group}/memory.swap.max"),
        "oom_score_adj": int(read(f"/proc/{first}/oom_score_adj")),
    }


found = [
    container(pod, status)
    for pod in json.load(sys.stdin)["items"]
    for status in pod["status"].get("initContainerStatuses", []) + pod["status"]["containerStatuses"]
]
json.dump(found, sys.stdout, indent=1)
