mod ask;
mod decode;
mod fixture;
mod property;
mod signing;
mod table;
