"""What of the persisted tables is in the executors' memory."""


def cached(spark):
    info = spark.sparkContext._jsc.sc().getRDDStorageInfo()
    return " ".join(f"cached={i.numCachedPartitions()}/{i.numPartitions()} {i.memSize() >> 20}MiB" for i in info)
