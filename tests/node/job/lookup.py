"""The module of a Python UDF that asks a slow service: it remembers every answer for as long as the worker lives."""

import os

answers = {}


def answer(user, size):
    found = answers.get(user)
    if found is None:
        found = answers[user] = os.urandom(size)
    return found[0]
