namespace Session.Orleans.Chain.Operations;

/// <summary>
/// Something that people ask of the chain: the transactions of a block. Nothing is signed; who may ask is for the caller to decide. An
/// operation that cannot be done is reported as <see cref="Blocks.OperationRejected"/> and changes nothing.
/// </summary>
public abstract record ChainOperation;
