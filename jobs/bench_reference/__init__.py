"""The reference work that published engines were measured with, through our runtime: for `sluice bench` alone."""
