"""Events collected per user: collect_list holds a whole group on the heap of one task, and no memory manager spills it.

USERS users with EVENTS events of EVENT_BYTES each, every user in a task of its own. A group too large for the heap is a JVM OutOfMemoryError: the
executor ends by itself (exit code 52), its task is tried again elsewhere, and Spark gives up. It is the same on every attempt."""
import os
import time

from pyspark.sql import functions as F

env = os.environ.get


def run(spark, say):
    users = apart(spark, int(env("USERS")))
    spark.conf.set("spark.sql.shuffle.partitions", len(users))
    spark.conf.set("spark.sql.adaptive.enabled", "false")     # else it may put all users into one task
    start = time.time()
    user = F.array(*(F.lit(u).cast("bigint") for u in users))[(F.col("id") % len(users)).cast("int")]
    event = F.rpad(F.col("id").cast("string"), int(env("EVENT_BYTES")), ".")
    events = F.collect_list("event")
    answer = (spark.range(0, len(users) * int(env("EVENTS")), 1, int(env("PARTITIONS")))
              .select(user.alias("user"), event.alias("event"))
              .groupBy("user").agg(F.size(events).alias("size"), F.array_max(events).alias("last")).collect())
    say("group", start, *(f"{row['size']}:{row['last'].rstrip('.')}" for row in sorted(answer)))


def apart(spark, tasks):
    """One user for each task, as the shuffle will spread them."""
    placed = spark.range(0, 50 * tasks, 1, 1).select("id", F.expr(f"pmod(hash(id), {tasks})").alias("task"))
    return [row["id"] for row in placed.groupBy("task").agg(F.min("id").alias("id")).orderBy("id").collect()]
