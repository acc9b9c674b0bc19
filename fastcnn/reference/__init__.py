"""fastcnn.reference: TRUTH. Every op by its definition, in NumPy: forward, then backward; one file per op."""
