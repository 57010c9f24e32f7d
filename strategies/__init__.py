"""What Hypothesis draws; how schedules are picked, recorded and made small."""
