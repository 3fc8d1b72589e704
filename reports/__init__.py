"""Documents from data frames: tables, figures, reports. Imports none of the other packages."""
