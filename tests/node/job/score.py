"""Rows scored against a large model, pass after pass: the negative control, a job without cold memory.

The table is cached, fits, and is read whole in every pass: the JVM hashes each row, and the garbage of that wraps through the whole heap.
Of each hundred rows one goes to Python, whose worker keeps a model of MODEL_MIB for as long as it lives and touches every page of it for each
batch of rows. What this job takes, it uses all the time: its working set is its peak."""
import builtins
import itertools
import os
import time

from pyspark import StorageLevel
from pyspark.sql import functions as F

from storage import cached

env = os.environ.get
BATCH = 100


def run(spark, say):
    mib, start = int(env("MODEL_MIB")), time.time()
    table = (spark.range(0, int(env("ROWS")), 1, int(env("PARTITIONS")))
             .select("id", F.sha2(F.col("id").cast("string"), 256).alias("hash"))
             .persist(StorageLevel.MEMORY_ONLY))
    table.count()
    say("load", start, cached(spark))

    def score(rows):
        if not hasattr(builtins, "model"):                    # survives the task: Spark gives the worker one task after another
            builtins.model = [os.urandom(16) * (1 << 16) for _ in range(mib)]
        scores = []
        while batch := list(itertools.islice(rows, BATCH)):
            weight = sum(sum(block[::4096]) for block in builtins.model)
            scores.append(sum(row["hash"] for row in batch) % weight)
        yield len(scores)

    for i in range(int(env("QUERIES"))):
        start = time.time()
        hashes = table.select(F.xxhash64(F.sha2(F.concat("hash", F.lit(str(i))), 256)).alias("hash")).where("hash % 100 = 0")
        say(f"pass{i}", start, sum(hashes.rdd.mapPartitions(score).collect()), "batches", cached(spark))
