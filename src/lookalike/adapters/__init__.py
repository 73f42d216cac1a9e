"""One module for one third party behind one port; none imports another."""
