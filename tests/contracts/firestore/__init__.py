"""Tests of `contracts/firestore`."""
