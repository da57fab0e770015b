"""class_archives.py DIR: archives of the classes that a Spark driver and an executor load (class data sharing of the JDK).

The JVMs write them as they end, which is after this program's Spark is gone: it waits for both files to stand still.
"""

import pathlib
import subprocess
import sys
import time

from pyspark import SparkContext, StorageLevel
from pyspark.sql import SparkSession, functions as F

directory = pathlib.Path(sys.argv[1])
archive = f"-XX:ArchiveClassesAtExit={directory}/"


def use_spark():
    """What the jobs do, as far as it loads classes."""
    spark = (
        SparkSession.builder.master("local-cluster[1,1,600]")
        .config("spark.executor.memory", "600m")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.extraJavaOptions", archive + "driver.jsa")
        .config("spark.executor.extraJavaOptions", "-XX:+UseG1GC " + archive + "executor.jsa")
        .getOrCreate()
    )
    columns = (F.xxhash64("id", F.lit(i)).alias(f"c{i}") for i in range(5))
    table = spark.range(0, 10000, 1, 4).select("id", *columns).persist(StorageLevel.MEMORY_ONLY)
    table.count()
    table.where("c1 > 0").agg(F.expr("bit_xor(c0)"), F.max("c1"), F.count("*")).collect()
    table.groupBy((F.col("id") % 10).alias("k")).count().orderBy("k").collect()
    spark.sparkContext.parallelize(range(4), 2).mapPartitions(lambda part: [sum(part)]).collect()
    spark.stop()


def writers():
    """The JVMs that are still at it."""
    found = subprocess.run(["pgrep", "--full", "--", archive], capture_output=True, text=True)
    return found.stdout.split()


use_spark()
# The driver's JVM ends when its standard input does.
SparkContext._gateway.proc.stdin.close()
SparkContext._gateway.proc.wait(120)
for _ in range(240):
    if not writers():
        break
    time.sleep(0.5)
missing = [name for name in ("driver.jsa", "executor.jsa") if not (directory / name).exists()]
if missing:
    sys.exit(f"no class archive: {missing}")
