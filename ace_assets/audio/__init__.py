"""Arrays in, numbers or arrays out: codecs, tags, loudness, limiter, tempo, key, defects, fingerprint."""
