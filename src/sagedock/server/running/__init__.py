"""A server on a data folder: started, known, ended; and what programs are told of it."""
