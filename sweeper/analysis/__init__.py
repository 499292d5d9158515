"""What was found out: values in, values out."""
