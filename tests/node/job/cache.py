"""A wide table from a slow store, kept with MEMORY_ONLY; then, again and again: a Python step on every executor at once,
within what was declared, and a query on three of the table's 32 columns.

Each partition costs READ_S seconds of waiting, as a read from a remote store does, and little CPU. A partition that finds no room
in the executors' memory is read anew for every query; of what fits, most is cold."""
import os
import time

from pyspark import StorageLevel
from pyspark.sql import functions as F

from storage import cached

env = os.environ.get


def run(spark, say):
    parts, executors, start = int(env("PARTITIONS")), int(env("EXECUTORS")), time.time()
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
