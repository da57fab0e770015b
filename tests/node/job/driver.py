"""The Spark driver (client mode, on the node): job.py WORK; the size of everything comes from the environment. Prints one line per phase."""
import os, sys, time, traceback
from pyspark import StorageLevel
from pyspark.sql import SparkSession, functions as F

T0 = time.time()
env = os.environ.get
executors = int(env("EXECUTORS"))


def say(phase, start, *more):
    print(f"JOB {time.time() - T0:6.1f} {phase} {time.time() - start:.1f}s", *more, flush=True)


def session():
    conf = {
        "spark.kubernetes.container.image": "localhost/spark:1",
        "spark.kubernetes.container.image.pullPolicy": "Never",
        "spark.kubernetes.authenticate.oauthToken": env("API_TOKEN"),
        "spark.kubernetes.authenticate.caCertFile": env("API_CA"),
        "spark.kubernetes.executor.podTemplateFile": env("EXECUTOR_TEMPLATE"),
        "spark.kubernetes.executor.request.cores": "100m",
        "spark.kubernetes.executor.podNamePrefix": "spark",
        "spark.executor.instances": executors,
        "spark.executor.cores": "1",
        "spark.executor.memory": env("HEAP"),
        "spark.driver.memory": "512m",
        "spark.driver.host": "10.88.0.1",
        "spark.driver.bindAddress": "0.0.0.0",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.extraJavaOptions": f"-XX:SharedArchiveFile={env('CLASS_ARCHIVES')}/driver.jsa -XX:TieredStopAtLevel=1",
        # G1 is what a JVM with two or more CPUs picks by itself; the archive of loaded classes only shortens the start
        "spark.executor.extraJavaOptions": f"-XX:+UseG1GC -XX:SharedArchiveFile={env('CLASS_ARCHIVES')}/executor.jsa {env('JAVA_OPTS', '')}",
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
        "spark.sql.inMemoryColumnarStorage.compressed": "false",      # the values are random: trying to compress them only costs CPU
    }
    if env("OVERHEAD"):
        conf["spark.executor.memoryOverhead"] = env("OVERHEAD")
    for pair in env("SPARK_CONF", "").split(";"):
        if pair:
            key, value = pair.split("=", 1)
            conf[key] = value
    builder = SparkSession.builder.master("k8s://https://10.96.0.1:443").appName(sys.argv[1])
    for key, value in conf.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def python(spark):
    """Each task holds a growing list in the Python worker, outside the JVM: the classic cgroup OOM of PySpark."""
    mib = int(env("TASK_MIB"))

    def work(part):
        rows = []
        for i in range(mib):
            rows.append(os.urandom(16) * (1 << 16))           # 1 MiB that is really touched
            if i % 10 == 0:
                time.sleep(0.05)
        yield sum(r[0] for r in rows[-20:])

    tasks = int(env("TASKS"))
    start = time.time()
    spark.sparkContext.parallelize(range(tasks), tasks).mapPartitions(work).collect()
    say("python", start)


def cache(spark):
    """A wide table from a slow store, kept with MEMORY_ONLY; then, again and again: a Python step on every executor at once,
    within what was declared, and a query on three of the table's 32 columns.

    Each partition costs READ_S seconds of waiting, as a read from a remote store does, and little CPU. A partition that finds no room
    in the executors' memory is read anew for every query; of what fits, most is cold."""
    parts, start = int(env("PARTITIONS")), time.time()
    table = (spark.range(0, parts, 1, parts)
             .selectExpr("id as part", f"java_method('java.lang.Thread', 'sleep', {int(float(env('READ_S')) * 1000)}L) as read")
             .selectExpr("read", f"explode(sequence(part * {env('ROWS')}, (part + 1) * {env('ROWS')} - 1)) as id")
             .select("id", F.length("read").alias("read"), *(F.xxhash64("id", F.lit(i)).alias(f"c{i}") for i in range(30)))
             .persist(StorageLevel.MEMORY_ONLY))
    table.count()
    say("load", start, cached(spark))
    mib = int(env("BURST_MIB"))

    def burst(part):
        rows = [os.urandom(16) * (1 << 16) for _ in range(mib)]           # 1 MiB each, really touched
        time.sleep(5)
        yield len(rows)

    for i in range(int(env("QUERIES"))):
        if i < int(env("BURSTS")):
            start = time.time()
            spark.sparkContext.parallelize(range(executors), executors).mapPartitions(burst).collect()
            say(f"burst{i}", start)
        start = time.time()
        answer = table.where(F.col("id") % 7 == i % 7).agg(F.count("*"), F.expr("bit_xor(c0)"), F.max("c1")).collect()[0]
        say(f"query{i}", start, tuple(answer), cached(spark))
    if env("COLD"):
        start = time.time()
        say("cold", start, table.selectExpr(*(f"bit_xor(c{i})" for i in range(30))).collect()[0][29], cached(spark))


def cached(spark):
    info = spark.sparkContext._jsc.sc().getRDDStorageInfo()
    return " ".join(f"cached={i.numCachedPartitions()}/{i.numPartitions()} {i.memSize() >> 20}MiB" for i in info)


def effort(spark):
    """What all executors spent, those that are gone included."""
    executors = spark.sparkContext._jsc.sc().statusStore().executorList(False)
    listed = [executors.apply(i) for i in range(executors.size())]
    tasks, gc = sum(e.totalDuration() for e in listed), sum(e.totalGCTime() for e in listed)
    return f"taskSeconds={tasks / 1000:.1f} gcSeconds={gc / 1000:.1f}"


WORK = {"python": python, "cache": cache}
try:
    spark = session()
    say("session", T0, spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1, "executors")
    WORK[sys.argv[1]](spark)
    say("DONE", T0, effort(spark))
except Exception as e:
    text = str(e)
    say("FAILED", T0, text[:600].replace("\n", " | "))
    os._exit(1)
spark.stop()
