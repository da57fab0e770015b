"""A Spark driver in client mode that asks for executors and does nothing else.

The Spark configuration comes as one line of JSON on standard input. The driver
stays until standard input is closed, then stops its application.
"""
import json
import sys

from pyspark.sql import SparkSession

builder = SparkSession.builder
for key, value in json.loads(sys.stdin.readline()).items():
    builder = builder.config(key, value)
spark = builder.getOrCreate()
print("driver ready", flush=True)
sys.stdin.read()
spark.stop()
