"""The same as a test: Hypothesis draws what is asked and how things go, pytest runs it."""

from countdown import PROPERTIES, Countdown

from heatproof import machine

TestCountdown = machine(Countdown(), PROPERTIES, faults=()).TestCase
