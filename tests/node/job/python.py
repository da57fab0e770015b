"""Each task holds a growing list in the Python worker, outside the JVM: the classic cgroup OOM kill of PySpark."""
import os
import time

env = os.environ.get


def run(spark, say):
    mib, tasks, touch = int(env("TASK_MIB")), int(env("TASKS")), env("TOUCH") == "yes"

    def work(part):
        rows = []
        for i in range(mib):
            rows.append(os.urandom(16) * (1 << 16))           # 1 MiB that is really touched
            if i % 10 == 0:
                if touch:
                    sum(sum(row[::4096]) for row in rows)     # every page of it, swapped or not
                time.sleep(0.05)
        yield sum(r[0] for r in rows[-20:])

    start = time.time()
    spark.sparkContext.parallelize(range(tasks), tasks).mapPartitions(work).collect()
    say("python", start)
