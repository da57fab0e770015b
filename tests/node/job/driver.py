"""driver.py WORKLOAD: the Spark driver (client mode, on the node). Opens a session, runs the workload, prints one line per phase.

    JOB <seconds since the start> <phase> <duration>s <more…>

The last line says DONE or FAILED, with the task and garbage collection time of all executors. WORKLOAD is a file
beside this one; the size of everything comes from the environment."""
import importlib
import os
import sys
import time

from pyspark import cloudpickle
from pyspark.sql import SparkSession

START = time.time()
env = os.environ.get


def say(phase, start, *more):
    print(f"JOB {time.time() - START:6.1f} {phase} {time.time() - start:.1f}s", *more, flush=True)


def session():
    conf = {
        "spark.kubernetes.container.image": "localhost/spark:1",
        "spark.kubernetes.container.image.pullPolicy": "Never",
        "spark.kubernetes.authenticate.oauthToken": env("API_TOKEN"),
        "spark.kubernetes.authenticate.caCertFile": env("API_CA"),
        "spark.kubernetes.executor.podTemplateFile": env("EXECUTOR_TEMPLATE"),
        "spark.kubernetes.executor.request.cores": "100m",
        "spark.kubernetes.executor.podNamePrefix": "spark",
        "spark.executor.instances": env("EXECUTORS"),
        "spark.executor.cores": "1",
        "spark.executor.memory": env("HEAP"),
        "spark.driver.memory": "512m",
        "spark.driver.host": "10.88.0.1",
        "spark.driver.bindAddress": "0.0.0.0",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.extraJavaOptions": f"-XX:SharedArchiveFile={env('CLASS_ARCHIVES')}/driver.jsa -XX:TieredStopAtLevel=1",
        # G1 is what a JVM with two or more CPUs picks by itself; the archive of loaded classes only shortens the start
        "spark.executor.extraJavaOptions": f"-XX:+UseG1GC -XX:SharedArchiveFile={env('CLASS_ARCHIVES')}/executor.jsa",
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
        "spark.sql.inMemoryColumnarStorage.compressed": "false",      # the values are random: trying to compress them only costs CPU
    }
    if env("OVERHEAD"):
        conf["spark.executor.memoryOverhead"] = env("OVERHEAD")
    builder = SparkSession.builder.master("k8s://https://10.96.0.1:443").appName(sys.argv[1])
    for key, value in conf.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def executors(spark):
    """Every executor of the application, dead ones too, as Spark's own bookkeeping has them."""
    listed = spark.sparkContext._jsc.sc().statusStore().executorList(False)
    return [e for e in map(listed.apply, range(listed.size())) if e.id() != "driver"]


def effort(spark):
    """What all executors spent, those that are gone included; of these not the tasks that they were lost with."""
    spent = executors(spark)
    tasks, gc = sum(e.totalDuration() for e in spent), sum(e.totalGCTime() for e in spent)
    return f"taskSeconds={tasks / 1000:.1f} gcSeconds={gc / 1000:.1f} failedTasks={sum(e.failedTasks() for e in spent)}"


def main():
    workload = importlib.import_module(sys.argv[1])
    cloudpickle.register_pickle_by_value(workload)                    # the executors do not have the file
    spark = None
    try:
        spark = session()
        up = [e for e in executors(spark) if e.isActive()]
        # 0.6 * (heap - 300 MiB): what heap the executors really have
        say("session", START, len(up), "executors", f"storage={max((e.maxMemory() for e in up), default=0) >> 20}MiB")
        workload.run(spark, say)
        say("DONE", START, effort(spark))
    except Exception as e:
        try:
            spent = effort(spark)
        except Exception:                                             # there is no session, or Spark has closed it after too many losses
            spent = ""
        say("FAILED", START, spent, str(e)[:600].replace("\n", " | "))
        time.sleep(5)                                                 # executors that are dying show how they end
        os._exit(1)
    spark.stop()


main()
