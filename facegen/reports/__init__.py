"""What every report is made of: a page as a tree of elements, tables of text, figures that look alike."""
