"""Google's services as the embedded cloud plays them, one folder each."""
