"""What every room stands on: files, processes, devices, YAML, plug-ins, report pages. Knows nothing of images."""
