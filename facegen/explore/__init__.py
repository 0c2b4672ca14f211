"""The local web page: datasets, generators and studies to look at (`facegen explore`)."""
