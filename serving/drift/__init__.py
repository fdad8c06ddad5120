"""What is watched while answers are given: drift, quality of the data, business figures and what is unusual in them."""
