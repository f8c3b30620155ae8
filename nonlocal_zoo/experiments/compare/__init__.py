"""Blocks against each other in one network: from names and a base config to a leaderboard.

grammar reads blocks, place puts them into the config, budget makes them equally large; cell is one
training, work does it, schedule does all of them; judge says what can be believed; leaderboard,
figures, sheets and report show it.
"""
