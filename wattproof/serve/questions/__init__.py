"""What the API asks the store: statements whose columns are named as the API's fields."""
