"""The patients of these tests' clinic."""

from tests.harness.demo.people import PEOPLE as EVERYBODY

PEOPLE = EVERYBODY[:16]
