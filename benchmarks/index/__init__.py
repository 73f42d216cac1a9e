"""The index side by side with its peers: data sets of any size, one protocol, each engine swept to the same recall first."""
