"""A table of hashes of hashes, kept with MEMORY_ONLY, and queries that read all of it and hash each row again.

Each sha2 leaves a string behind, so a task makes garbage at the speed of its CPU. The young generation of G1 takes whatever the heap
has free and wraps through all of it: the working set of such a job comes close to its peak, however little of it is live."""
import os
import time

from pyspark import StorageLevel
from pyspark.sql import functions as F

from storage import cached

env = os.environ.get


def run(spark, say):
    start = time.time()
    table = (spark.range(0, int(env("ROWS")), 1, int(env("PARTITIONS")))
             .select(chain(F.col("id").cast("string"), int(env("HASHES"))).alias("hash"))
             .select("hash", F.reverse("hash").alias("mirror"))
             .persist(StorageLevel.MEMORY_ONLY))
    table.count()
    say("load", start, cached(spark))
    for i in range(int(env("QUERIES"))):
        start = time.time()
        again = chain(F.concat("hash", F.lit(str(i)), "mirror"), 1)
        answer = table.agg(F.count("*"), F.bit_xor(F.xxhash64(again))).collect()[0]
        say(f"query{i}", start, tuple(answer), cached(spark))


def chain(column, hashes):
    for _ in range(hashes):
        column = F.sha2(column, 256)
    return column
