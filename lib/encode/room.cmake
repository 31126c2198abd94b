# encode
