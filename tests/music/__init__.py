"""The music and the faults that the detectors are judged on, as code: no audio is committed."""
