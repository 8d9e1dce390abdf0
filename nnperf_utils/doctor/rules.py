def diagnose(evidence):
    return []
