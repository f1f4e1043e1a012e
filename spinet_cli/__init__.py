"""The `spinet-qsm` command; it imports TensorFlow only once there is work to do."""
