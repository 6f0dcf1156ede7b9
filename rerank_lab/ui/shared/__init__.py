"""What several pages share: state, frame, resources, waiting."""
