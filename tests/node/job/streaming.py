"""A stream that never forgets.

Events arrive twice and are deduplicated under a watermark longer than the run, so the state of the query only grows; then each
event's user is looked up in a slow service by a Python UDF that remembers every answer, as such UDFs do, for as long as its
worker lives. One event in eight has an old user: what is remembered is cold, but not dead.

STREAM_S seconds, STREAM_ROWS rows a second, ANSWER_BYTES a remembered answer, a micro-batch every TRIGGER_S seconds.
"""
import os
import time

from pyspark.sql import functions as F

CHECKPOINT = "file:///mnt/stream/checkpoint"  # driver and executors see the same directory of the node


def run(spark, say):
    env = os.environ
    seconds, rows_per_second, trigger, size = (int(env[k]) for k in ("STREAM_S", "STREAM_ROWS", "TRIGGER_S", "ANSWER_BYTES"))
    executors = int(env["EXECUTORS"])
    spark.conf.set("spark.sql.shuffle.partitions", executors)
    spark.sparkContext.addPyFile(os.path.join(os.path.dirname(os.path.abspath(__file__)), "lookup.py"))

    def answer(user):
        import lookup

        return lookup.answer(user, size)

    start = time.time()
    events = (
        spark.readStream.format("rate").option("rowsPerSecond", rows_per_second).option("numPartitions", executors).load()
        .selectExpr("timestamp", "value div 2 as event")
        .withWatermark("timestamp", "1 hour")
        .dropDuplicates(["event"])
        .selectExpr("if(event % 8 = 0, pmod(xxhash64(event), event + 1), event) as user")
        .withColumn("answer", F.udf(answer, "int")("user"))
    )
    query = (
        events.writeStream.format("noop").outputMode("append").option("checkpointLocation", CHECKPOINT)
        .trigger(processingTime=f"{trigger} seconds").start()
    )
    last, slowest, told, rows = -1, 0.0, 0.0, 0
    while query.isActive and time.time() - start < seconds:
        time.sleep(1)
        for progress in query.recentProgress:
            if progress["batchId"] <= last:
                continue
            last, took = progress["batchId"], progress["durationMs"].get("triggerExecution", 0) / 1000
            slowest, rows = max(slowest, took), rows + progress["numInputRows"]
            # Every half minute, and each batch that took far too long.
            if took > 2 * trigger or time.time() - told > 30:
                told = time.time()
                state = (progress.get("stateOperators") or [{}])[0].get("numRowsTotal")
                alive = spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1
                say(f"batch{last}", time.time() - took, f"rows={progress['numInputRows']} total={rows} state={state} executors={alive}")
    if query.exception():
        raise query.exception()
    query.stop()
    say("streaming", start, f"batches={last + 1} rows={rows} slowest={slowest:.1f}s")
