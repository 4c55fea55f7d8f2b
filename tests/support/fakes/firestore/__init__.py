"""Tests of `fakes/firestore`."""
