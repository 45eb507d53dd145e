"""Questions, platforms and price sheets: everything declared by hand."""
