"""nri.py OUT: what the NRI plugin memory-qos makes of annotations, on this node's containerd, kubelet and kernel.

Starts and stops the plugin itself (NRI_PLUGIN is its binary), creates pods by hand and reads memory.swap.max from the containers'
cgroups. Prints one line per case and exits 1 where a case is not as stated; OUT/nri.json has what was seen.

  API_SERVER, API_TOKEN  where the API server listens, host:port, and an administrator's token
  SWAP_BEHAVIOR          of the kubelet: what it grants by itself
  NRI_UPSTREAM           `yes`: NRI_PLUGIN is nri-plugins' memory-qos, which knows classes, and not the tests' plugin
"""
import glob, http.client, json, os, signal, ssl, subprocess, sys, time

OUT = sys.argv[1]
LOGS = OUT + "/log"
CONTAINERD = LOGS + "/containerd.log"
PODS = "/api/v1/namespaces/default/pods"
MI = 1 << 20
REQUEST, LIMIT = 64 * MI, 128 * MI
BYTES = 24415 * 4096
KEY, CLASS = "memory.swap.max.memory-qos.nri.io", "class.memory-qos.nri.io"
ALLOWS_SWAP = "unifiedannotations: [memory.swap.max]\n"


def api(method, path, body=None, kind="application/json"):
    connection = http.client.HTTPSConnection(os.environ["API_SERVER"], context=ssl._create_unverified_context())
    headers = {"Authorization": "Bearer " + os.environ["API_TOKEN"], "Content-Type": kind}
    connection.request(method, path, json.dumps(body) if body else None, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    if response.status >= 300:
        raise RuntimeError(f"{method} {path}: {response.status} {answer.get('message')}")
    return answer


# --- the node

def meminfo(field):
    with open("/proc/meminfo") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


def kubelet_grants(request=REQUEST):
    """What the kubelet itself writes for a Burstable container whose request is below its limit."""
    if os.environ["SWAP_BEHAVIOR"] != "LimitedSwap":
        return 0
    return int(request / meminfo("MemTotal") * meminfo("SwapTotal")) // 4096 * 4096


class Plugin:
    """One running memory-qos; `config` None starts it without a configuration."""

    count = 0
    admitted = {}  # place among the runtime's plugins -> how often containerd took one in there

    def __init__(self, config, index=90):
        Plugin.count += 1
        self.log = f"{LOGS}/memory-qos-{Plugin.count}.log"
        command = [os.environ["NRI_PLUGIN"], "-name", "memory-qos", "-idx", str(index), "-vv"]
        if config is not None:
            path = f"/run/memory-qos-{Plugin.count}.yaml"
            with open(path, "w") as file:
                file.write(config)
            command += ["-config", path]
        self.process = subprocess.Popen(command, stdout=open(self.log, "w"), stderr=subprocess.STDOUT)
        admitted = f'plugin \\"{index}-memory-qos\\" connected and synchronized'
        until(lambda: said(CONTAINERD).count(admitted) > Plugin.admitted.get(index, 0), 20)
        Plugin.admitted[index] = said(CONTAINERD).count(admitted)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait()
        time.sleep(1)


def said(log):
    with open(log, errors="replace") as file:
        return file.read()


def until(condition, seconds):
    end = time.time() + seconds
    while not (result := condition()) and time.time() < end:
        time.sleep(0.5)
    return result


# --- pods

def memory(request, limit=None, cpu=None):
    resources = {"requests": {"memory": str(request)}, "limits": {"memory": str(limit or request)}}
    if cpu:
        resources["requests"]["cpu"] = cpu
        resources["limits"]["cpu"] = cpu
    return resources


BURSTABLE = memory(REQUEST, LIMIT)


def container(name, resources, **more):
    return {"name": name, "image": "localhost/base:1", "imagePullPolicy": "Never", "resources": resources,
            "command": ["/bin/busybox", "sleep", "1000000"], **more}


def create(name, annotations, resources=BURSTABLE, others=(), init=(), restart="Never", command=None):
    spark = container("spark", resources, **({"command": command} if command else {}))
    spec = {"automountServiceAccountToken": False, "restartPolicy": restart, "terminationGracePeriodSeconds": 0,
            "initContainers": list(init), "containers": [spark, *others]}
    api("POST", PODS, {"metadata": {"name": name, "annotations": annotations}, "spec": spec})


def containers(name):
    """Of a settled pod: container -> its memory.swap.max, or why there is none. None while it has not settled."""
    pod = api("GET", f"{PODS}/{name}")
    status, seen = pod.get("status", {}), {}
    for c in status.get("initContainerStatuses", []) + status.get("containerStatuses", []):
        (kind, detail), = c["state"].items()
        if kind == "running":
            seen[c["name"]] = limit_of(pod["metadata"]["uid"], c["containerID"])
            if seen[c["name"]] is None:  # ended since the kubelet last looked
                return None
        elif kind == "waiting" and detail.get("reason") in ("CreateContainerError", "RunContainerError", "CrashLoopBackOff"):
            seen[c["name"]] = (detail["reason"], detail.get("message", ""))
        elif kind == "terminated" and detail.get("reason") != "Completed":
            seen[c["name"]] = (detail["reason"], detail.get("message", ""))
        else:
            return None
    return seen or None


def limit_of(uid, container_id):
    for path in glob.glob(f"/sys/fs/cgroup/kubepods/**/pod{uid}/{container_id.split('://')[1]}/memory.swap.max", recursive=True):
        with open(path) as file:
            text = file.read().strip()
        return text if text == "max" else int(text)


class Fails:
    """Expected: the container never starts; `reason` as the kubelet says it, `text` from its message."""

    def __init__(self, reason, text=""):
        self.reason, self.text = reason, text

    def __eq__(self, seen):
        return isinstance(seen, tuple) and seen[0] == self.reason and self.text in seen[1]

    def __repr__(self):
        return self.reason


results = []


def judge(group, name, written, expected, seen):
    passed = all(seen and want == seen.get(c) for c, want in expected.items())
    results.append({"group": group, "case": name, "written": written, "expected": {c: repr(e) for c, e in expected.items()},
                    "seen": seen, "as stated": passed})
    shown = {c: v if not isinstance(v, tuple) else f"{v[0]}: {v[1][-150:]}" for c, v in (seen or {}).items()}
    print("NRI", "ok  " if passed else "NOT ", group, "|", name, "|", shown, "" if passed else f"| stated {expected}", flush=True)


def run(group, cases, seconds=90):
    """cases: name -> (annotations, what is expected of which container, arguments of `create`)."""
    prefix = group.split(":")[0]
    for name, (annotations, _, *more) in cases.items():
        create(f"{prefix}-{name}", annotations, **(more[0] if more else {}))
    for name, (annotations, expected, *_) in cases.items():
        seen = until(lambda: containers(f"{prefix}-{name}"), seconds)
        judge(group, name, annotations, expected, seen)
    for name in cases:
        api("DELETE", f"{PODS}/{prefix}-{name}?gracePeriodSeconds=0")


def spark(value):
    return {"spark": value}


def key(container_name, name=KEY):
    return f"{name}/{container_name}"


REFUSED = "invalid annotation"
is_upstream = os.environ.get("NRI_UPSTREAM") == "yes"
own = kubelet_grants()
print("NRI kubelet", os.environ["SWAP_BEHAVIOR"], "grants", own, flush=True)

run("none: no plugin runs", {
    "plain": ({}, spark(own)),
    "ignored": ({key("spark"): str(BYTES)}, spark(own)),
    "ignored-refusable": ({key("spark"): "x", CLASS: "nosuch"}, spark(own)),
})

with Plugin(ALLOWS_SWAP):
    run("form: the plugin allows memory.swap.max", {
        "plain": ({}, spark(own)),
        "container": ({key("spark"): str(BYTES)}, spark(BYTES)),
        "not-whole-pages": ({key("spark"): str(BYTES + 4095)}, spark(BYTES)),
        "pod": ({KEY: str(BYTES)}, spark(BYTES)),
        "container-over-pod": ({KEY: "4096", key("spark"): str(BYTES)}, spark(BYTES)),
        "zero": ({key("spark"): "0"}, spark(0)),
        "below-own-grant": ({key("spark"): "4096"}, spark(4096)),
        "max": ({key("spark"): "max"}, spark("max")),
        "beyond-the-node": ({key("spark"): str(1 << 42)}, spark(1 << 42)),
        "beyond-int64": ({key("spark"): str((1 << 64) - 1)}, spark("max")),
        "other-container": ({key("spark-1"): str(BYTES), key("park"): str(BYTES), key("nosuch"): "x"}, spark(own)),
        "other-container-typo": ({key("nosuch", "memory.swap.maximum.memory-qos.nri.io"): "1"}, spark(own)),
        "sidecar": ({key("spark"): str(BYTES)}, {"spark": BYTES, "side": own, "native": own},
                    {"others": [container("side", BURSTABLE)],
                     "init": [container("native", BURSTABLE, restartPolicy="Always")]}),
        "pod-form-sidecar": ({KEY: str(BYTES)}, {"spark": BYTES, "side": BYTES, "native": BYTES},
                             {"others": [container("side", BURSTABLE)],
                              "init": [container("native", BURSTABLE, restartPolicy="Always")]}),
        "request-is-limit": ({key("spark"): str(BYTES)}, spark(BYTES), {"resources": memory(LIMIT)}),
        "guaranteed": ({key("spark"): str(BYTES)}, spark(BYTES), {"resources": memory(LIMIT, cpu="10m")}),
        "best-effort": ({key("spark"): str(BYTES)}, spark(BYTES), {"resources": {}}),
    })
    run("value: the plugin allows memory.swap.max", {
        "mebi": ({key("spark"): "96Mi"}, spark(Fails("StartError", "memory.swap.max"))),
        "kernel-suffix": ({key("spark"): "96M"}, spark(96 * MI)),
        "hexadecimal": ({key("spark"): "0x6000000"}, spark(96 * MI)),
        "octal": ({key("spark"): "0100003840"}, spark(Fails("StartError", "memory.swap.max"))),
        "exponent": ({key("spark"): "1e8"}, spark(Fails("StartError", "memory.swap.max"))),
        "fraction": ({key("spark"): "100003840.5"}, spark(Fails("StartError", "memory.swap.max"))),
        "negative": ({key("spark"): "-1"}, spark(Fails("StartError", "memory.swap.max"))),
        "word": ({key("spark"): "unlimited"}, spark(Fails("StartError", "memory.swap.max"))),
        "base64": ({key("spark"): "MTAwMDAzODQw"}, spark(Fails("StartError", "memory.swap.max"))),
        # Nothing is written then: what stays is the runtime's own translation of "no swap asked for".
        "empty": ({key("spark"): ""}, spark(0)),
        "spaces": ({key("spark"): f" {BYTES} "}, spark(BYTES)),
    })
    run("key: the plugin allows memory.swap.max alone", {
        "memory-high": ({key("spark"): str(BYTES), key("spark", "memory.high.memory-qos.nri.io"): str(REQUEST)},
                        spark(Fails("CreateContainerError", REFUSED))),
        "typo": ({key("spark", "memory.swap.maximum.memory-qos.nri.io"): "1"}, spark(Fails("CreateContainerError", REFUSED))),
    })
    # To the tests' plugin these keys are only ones that it does not allow.
    unknown = "class not found" if is_upstream else REFUSED
    run("name: the plugin has no such class", {
        "unknown-class": ({CLASS: "silver"}, spark(Fails("CreateContainerError", unknown))),
        "unknown-class-beside": ({key("spark"): str(BYTES), CLASS: "silver"}, spark(Fails("CreateContainerError", unknown))),
        "empty-class": ({key("spark", CLASS): ""}, spark(Fails("CreateContainerError", unknown))),
    })

if is_upstream:
    with Plugin("classes: [{name: silver, swaplimitratio: 0.2}]\nunifiedannotations: [memory.swap.max, memory.high]\n"):
        run("class: the plugin's sample configuration", {
            "class": ({CLASS: "silver"}, spark("max")),
            "own-value-over-class": ({CLASS: "silver", key("spark"): str(BYTES)}, spark(BYTES)),
            "memory-high": ({key("spark"): str(BYTES), key("spark", "memory.high.memory-qos.nri.io"): str(REQUEST)}, spark(BYTES)),
            "class-without-limit": ({CLASS: "silver", key("spark"): str(BYTES)}, spark(Fails("CreateContainerError", "missing container memory limit")), {"resources": {}}),
        })

with Plugin("unifiedannotations: [memory.high]\n"):
    run("forbids: the plugin does not allow memory.swap.max", {
        "plain": ({}, spark(own)),
        "container": ({key("spark"): str(BYTES)}, spark(Fails("CreateContainerError", REFUSED))),
    })

with Plugin("classes: []\n"):
    run("empty: the plugin's configuration allows nothing", {
        "container": ({key("spark"): str(BYTES)}, spark(Fails("CreateContainerError", REFUSED))),
    })

if is_upstream:
    # It crashes at the first annotation of its own; containerd goes on without it.
    with Plugin(None) as plugin:
        run("unconfigured: the plugin was started without a configuration", {
            "plain": ({}, spark(own)),
            "container": ({key("spark"): str(BYTES)}, spark(own)),
        })
        print("NRI note: unconfigured plugin", "gone" if plugin.process.poll() is not None else "runs", said(plugin.log)[-200:].replace("\n", " / "))

with Plugin(ALLOWS_SWAP), Plugin(ALLOWS_SWAP, index=91):
    run("twice: two plugins read the same annotations", {
        "plain": ({}, spark(own)),
        "container": ({key("spark"): str(BYTES)}, spark(Fails("CreateContainerError"))),
    })

with Plugin(ALLOWS_SWAP) as plugin:
    plugin.process.send_signal(signal.SIGSTOP)  # containerd gives it 2 s, closes it, and goes on without it
    run("hung: the plugin does not answer", {"container": ({key("spark"): str(BYTES)}, spark(own))})
    plugin.process.send_signal(signal.SIGCONT)
    time.sleep(2)
    run("woken: the same plugin answers again", {"container": ({key("spark"): str(BYTES)}, spark(own))})
    print("NRI note: hung plugin", "gone" if plugin.process.poll() is not None else "runs", said(plugin.log)[-200:].replace("\n", " / "))

# What takes a granted value away again.
later, written = "later: of a running container", {key("spark"): str(BYTES)}
with Plugin(ALLOWS_SWAP):
    resources = {"requests": {"memory": str(REQUEST), "cpu": "10m"}, "limits": {"memory": str(LIMIT)}}
    create("later-kept", written)
    create("later-resized", written, resources)
    create("later-restarted", written, restart="Always", command=["/bin/busybox", "sleep", "25"])
    for name in ("kept", "resized", "restarted"):
        judge(later, name + "-at-first", written, spark(BYTES), until(lambda: containers(f"later-{name}"), 60))
judge(later, "kept-when-the-plugin-ended", written, spark(BYTES), containers("later-kept"))
patch = {"spec": {"containers": [{"name": "spark", "resources": {"requests": {"cpu": "20m"}}}]}}
api("PATCH", f"{PODS}/later-resized/resize", patch, "application/strategic-merge-patch+json")
until(lambda: containers("later-resized") != spark(BYTES), 60)
judge(later, "cpu-resized-in-place", written, spark(own), containers("later-resized"))
restarted = until(lambda: (seen := containers("later-restarted")) and isinstance(seen["spark"], int) and seen != spark(BYTES) and seen, 90)
judge(later, "restarted-without-the-plugin", written, spark(own), restarted or containers("later-restarted"))

with open(OUT + "/nri.json", "w") as file:
    json.dump({"swapBehavior": os.environ["SWAP_BEHAVIOR"], "kubeletGrants": own, "cases": results}, file, indent=1)
bad = sum(not r["as stated"] for r in results)
print(f"NRI {len(results) - bad} as stated, {bad} not", flush=True)
sys.exit(bad > 0)
