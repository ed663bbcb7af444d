"""What every story may ask for."""

pytest_plugins = ["tests.fixtures_mongo"]
