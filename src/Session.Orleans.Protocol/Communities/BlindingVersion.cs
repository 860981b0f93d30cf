namespace Session.Orleans.Protocol.Communities;

/// <summary>How a Session ID is blinded for a community server; the value is the id's first byte (communities.md, 4).</summary>
public enum BlindingVersion : byte
{
    /// <summary>Ids with 15: two candidates per Session ID, which differ in the sign bit.</summary>
    Fifteen = 0x15,

    /// <summary>Ids with 25: one candidate per Session ID.</summary>
    TwentyFive = 0x25,
}
