"""The typed program: what the front end makes of dialect source and every back end consumes.

It is a tree with structured control flow in which every question of the source language is settled: names are
resolved, widths and overflow behaviour are explicit, places are addresses, checks are nodes. A back end needs no rule
of the dialect, only these nodes.
"""
