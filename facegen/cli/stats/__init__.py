"""What `facegen data stats` shows: tables, plots and the page around them."""
