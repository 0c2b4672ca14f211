"""The reasons for which the cleaned datasets leave faces out, as the words of the column `flags`."""

FLAGS = ("several_people", "occluded", "sunglasses", "hat", "profile", "cut_off", "low_resolution", "grey", "blurred")
