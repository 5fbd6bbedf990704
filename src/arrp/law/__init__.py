"""The law as data: one file per jurisdiction, `XX.toml` beside this one, CC0, not legal advice.

`reading` makes values of them and says what is wrong with a file. To add a country, add its file.
"""
